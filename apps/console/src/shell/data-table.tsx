import {
  type ColumnDef,
  createSortedRowModel,
  rowSortingFeature,
  sortFn_alphanumeric,
  sortFn_basic,
  tableFeatures,
  useTable,
} from '@tanstack/react-table';
import type { ReactNode } from 'react';

const features = tableFeatures({
  rowSortingFeature,
  sortedRowModel: createSortedRowModel(),
  sortFns: { alphanumeric: sortFn_alphanumeric, basic: sortFn_basic },
});

export interface Column<T> {
  id: string;
  head: string;
  /** What it is sorted by; without it, it is not. */
  value?: (row: T) => string | number;
  cell: (row: T) => ReactNode;
  isNumber?: boolean;
}

interface TableProps<T> {
  caption: string;
  columns: readonly Column<T>[];
  rows: T[];
  rowKey: (row: T) => string;
  /** `name` or `-name`, as the address has it. */
  sort?: string;
  onSort?: (sort: string) => void;
}

/** A real table: sortable heads are buttons, the caption is its name. */
export function DataTable<T extends object>({ caption, columns, rows, rowKey, sort, onSort }: TableProps<T>) {
  const id = sort?.replace(/^-/, '');
  const table = useTable({
    features,
    data: rows,
    columns: columns.map(
      (column): ColumnDef<typeof features, T> => ({
        id: column.id,
        accessorFn: (row: T) => column.value?.(row) ?? '',
        enableSorting: column.value !== undefined,
        sortFn: column.isNumber === true ? 'basic' : 'alphanumeric',
      }),
    ),
    getRowId: rowKey,
    state: { sorting: id === undefined ? [] : [{ id, desc: sort?.startsWith('-') ?? false }] },
  });
  return (
    <div className="table-box" role="region" aria-label={caption} tabIndex={0}>
      <table className="table">
        <caption className="visually-hidden">{caption}</caption>
        <thead>
          <tr>
            {columns.map((column) => (
              <Head key={column.id} column={column} sort={sort} onSort={onSort} />
            ))}
          </tr>
        </thead>
        <tbody>
          {table.getRowModel().rows.map((row) => (
            <tr key={row.id}>
              {columns.map((column) => (
                <td key={column.id} className={column.isNumber === true ? 'number' : undefined}>
                  {column.cell(row.original)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

type HeadProps<T> = { column: Column<T> } & Pick<TableProps<T>, 'sort' | 'onSort'>;

function Head<T>({ column, sort, onSort }: HeadProps<T>) {
  const className = column.isNumber === true ? 'number' : undefined;
  const by = sort === column.id ? 'ascending' : sort === `-${column.id}` ? 'descending' : undefined;
  if (column.value === undefined || onSort === undefined)
    return (
      <th scope="col" className={className}>
        {column.head}
      </th>
    );
  return (
    <th scope="col" className={className} aria-sort={by ?? 'none'}>
      <button type="button" className="sort" onClick={() => onSort(by === 'ascending' ? `-${column.id}` : column.id)}>
        {column.head}
        <span aria-hidden="true">{by === undefined ? '' : by === 'ascending' ? '▲' : '▼'}</span>
      </button>
    </th>
  );
}
