import { Button } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { lazy, Suspense, useEffect, useState } from 'react';
import { reviewQuery } from '../api/queries.js';
import type { Campaign, Progress } from '../api/wire.js';
import { useMay, useMe } from '../session/session.js';
import { clock } from '../shell/format.js';
import { useWords } from '../shell/words.js';
import { actsFor, type Verb } from './acts.js';

const ActDialog = lazy(() => import('./act-dialog.js').then((module) => ({ default: module.ActDialog })));

const COLOURS: Partial<Record<Verb, string>> = { abort: 'red', reject: 'red' };
const MAIN: readonly Verb[] = ['submit', 'approve', 'schedule', 'resume'];

interface ActsProps {
  campaign: Campaign;
  progress: Progress | undefined;
}

/** A button for each thing that the caller can do now, and no other. */
export function CampaignActs({ campaign, progress }: ActsProps) {
  const { t } = useWords();
  const me = useMe();
  const may = useMay();
  const { data: review } = useQuery(reviewQuery);
  const now = useSecond(campaign.undoable !== null);
  const [verb, setVerb] = useState<Verb>();
  const standpoint = { may, actor: `${me.kind}:${me.id}`, approvals: review?.approvals ?? campaign.required, now };
  const verbs = actsFor(campaign, standpoint);
  const left = campaign.undoable === null ? '' : clock(Date.parse(campaign.undoable.until) - now);
  return (
    <>
      {verbs.map((each) => (
        <Button
          key={each}
          color={COLOURS[each]}
          variant={MAIN.includes(each) ? 'filled' : each === 'abort' ? 'outline' : 'default'}
          onClick={() => setVerb(each)}
        >
          {t(`act.${each}`)}
          {each === 'undo' && <span className="only-wide" translate="no">{`\u00a0${left}`}</span>}
        </Button>
      ))}
      <Suspense>
        {verb !== undefined && (
          <ActDialog verb={verb} campaign={campaign} progress={progress} onClose={() => setVerb(undefined)} />
        )}
      </Suspense>
    </>
  );
}

/** The time, every second while somebody counts it. */
function useSecond(isCounting: boolean): number {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    if (!isCounting) return undefined;
    const timer = setInterval(() => setNow(Date.now()), 1_000);
    return () => clearInterval(timer);
  }, [isCounting]);
  return now;
}
