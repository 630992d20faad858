import { Button } from '@mantine/core';
import { type DragEvent, useRef, useState } from 'react';
import { useWords } from '../shell/words.js';

/** Files are dropped here, or chosen by the button, which the keyboard reaches. */
export function DropZone({ onFiles }: { onFiles: (files: File[]) => void }) {
  const { t } = useWords();
  const input = useRef<HTMLInputElement>(null);
  const [isOver, setOver] = useState(false);
  const drop = (event: DragEvent) => {
    event.preventDefault();
    setOver(false);
    onFiles([...event.dataTransfer.files]);
  };
  return (
    <div
      className="drop"
      data-over={isOver || undefined}
      onDragOver={(event) => {
        event.preventDefault();
        setOver(true);
      }}
      onDragLeave={() => setOver(false)}
      onDrop={drop}
    >
      <span>{t('contents.drop')}</span>
      <input
        ref={input}
        type="file"
        multiple
        className="visually-hidden"
        tabIndex={-1}
        aria-label={t('contents.upload')}
        onChange={(event) => {
          onFiles([...(event.currentTarget.files ?? [])]);
          event.currentTarget.value = '';
        }}
      />
      <Button variant="default" onClick={() => input.current?.click()}>
        {t('contents.upload')}
      </Button>
    </div>
  );
}
