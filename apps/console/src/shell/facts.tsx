import { Fragment, type ReactNode } from 'react';

/** Names and values; what has no value is left out. Names that are nobody's language stay as they are. */
export function Facts({ of }: { of: readonly (readonly [name: string, value: ReactNode, isOwnName?: boolean])[] }) {
  return (
    <dl className="facts">
      {of
        .filter(([, value]) => value !== null && value !== undefined && value !== false)
        .map(([name, value, isOwnName]) => (
          <Fragment key={name}>
            <dt translate={isOwnName === true ? 'no' : undefined}>{name}</dt>
            <dd>{value}</dd>
          </Fragment>
        ))}
    </dl>
  );
}
