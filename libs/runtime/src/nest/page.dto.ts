import { IsInt, IsOptional, IsString, Max, MaxLength, Min } from 'class-validator';
import { Type } from 'class-transformer';

/** Query of every list route. */
export class PageQuery {
  /** How many items at most, 1 to 200. */
  @IsOptional()
  @Type(() => Number)
  @IsInt()
  @Min(1)
  @Max(200)
  limit: number = 50;

  /** `next` of the page before; absent for the first page. */
  @IsOptional()
  @IsString()
  @MaxLength(1_024)
  cursor?: string;
}

/** One page of a list. There is no total: it would cost a walk of everything. */
export interface Page<T> {
  items: T[];
  /** Cursor of the next page; null on the last one. Also as a `Link` header. */
  next: string | null;
}
