import { Button, Group } from '@mantine/core';
import { useRef, useSyncExternalStore } from 'react';
import { clock } from '../shell/format.js';
import { useWords } from '../shell/words.js';
import { timeLeft, type UploadView } from './upload-progress.js';
import { uploads } from './uploads.js';

export const useUploads = (): readonly UploadView[] => useSyncExternalStore(uploads.subscribe, uploads.snapshot);

/** One upload: how far, how fast, how long yet, and what can be done about it. */
export function UploadLine({ upload }: { upload: UploadView }) {
  const { t, bytes, percent } = useWords();
  const { id, name, size, sent, state, error, isKept } = upload;
  const input = useRef<HTMLInputElement>(null);
  const rate = state === 'running' ? uploads.rate(id) : undefined;
  const left = timeLeft(upload, rate);
  const parts = [
    percent(size === 0 ? 1 : sent / size),
    bytes(size),
    ...(rate === undefined ? [] : [`${bytes(rate)}/s`]),
    ...(left === undefined ? [] : [clock(left)]),
  ];
  return (
    <div>
      <div className="wrap" translate="no">
        {name}
      </div>
      <progress
        className="bar-progress wide"
        value={sent}
        max={Math.max(1, size)}
        aria-label={t('upload.of', { name })}
      />
      <div className="quiet">
        {t(`upload.state.${state}`)} <span translate="no">{parts.join(' · ')}</span>{' '}
        {isKept && state === 'running' && t('upload.kept')}
      </div>
      {error !== null && state === 'failed' && (
        <div className="failed-count wrap" translate="no">
          {error}
        </div>
      )}
      <Group gap="xs" mt={4}>
        {state === 'running' && (
          <Button size="compact-xs" variant="default" onClick={() => void uploads.pause(id)}>
            {t('upload.pause')}
          </Button>
        )}
        {(state === 'paused' || state === 'failed') && (
          <Button size="compact-xs" variant="default" onClick={() => void uploads.resume(id)}>
            {t('upload.resume')}
          </Button>
        )}
        {state === 'asleep' && (
          <>
            <input
              ref={input}
              type="file"
              className="visually-hidden"
              tabIndex={-1}
              aria-label={t('upload.choose')}
              onChange={(event) => void uploads.resume(id, event.currentTarget.files?.[0])}
            />
            <Button size="compact-xs" variant="default" onClick={() => input.current?.click()}>
              {t('upload.choose')}
            </Button>
          </>
        )}
        <Button size="compact-xs" variant="default" onClick={() => void uploads.cancel(id)}>
          {t('upload.cancel')}
        </Button>
      </Group>
    </div>
  );
}
