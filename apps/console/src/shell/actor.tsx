import { useQuery } from '@tanstack/react-query';
import { accountQuery, peopleQuery } from '../api/queries.js';
import { useMay, useMe } from '../session/session.js';
import { useWords } from './words.js';

/** Who the log names: by name where the reader may see it. */
export function Actor({ of }: { of: string }) {
  const { t } = useWords();
  const may = useMay();
  const me = useMe();
  const account = useQuery({ ...accountQuery, enabled: me.kind === 'person' });
  const people = useQuery({ ...peopleQuery, enabled: may('user:read'), staleTime: 60_000 });
  const [kind = '', id = ''] = of.split(':');
  if (kind === 'system') return <span className="quiet">{t('actor.system')}</span>;
  const person = [account.data, ...(people.data?.items ?? [])].find((each) => each?.id === id);
  return <span translate="no">{person?.name ?? `${kind} ${id.slice(0, 8)}`}</span>;
}
