import { type ReactNode, useEffect } from 'react';

interface HeadProps {
  title: string;
  /** A name that somebody gave: not to be translated. */
  isName?: boolean;
  crumb?: ReactNode;
  state?: ReactNode;
  acts?: ReactNode;
}

export function PageHead({ title, isName = false, crumb, state, acts }: HeadProps) {
  useEffect(() => {
    document.title = `${title} · Muster`;
  }, [title]);
  return (
    <header className="head">
      <div>
        {crumb !== undefined && <div className="crumb">{crumb}</div>}
        <div className="title">
          <h1 translate={isName ? 'no' : undefined}>{title}</h1>
          {state}
        </div>
      </div>
      {acts !== undefined && <div className="acts">{acts}</div>}
    </header>
  );
}
