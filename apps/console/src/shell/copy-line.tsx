import { Button } from '@mantine/core';
import { useState } from 'react';
import { useWords } from './words.js';

/** A line to paste elsewhere. */
export function CopyLine({ line, label }: { line: string; label?: string }) {
  const { t } = useWords();
  const [isCopied, setCopied] = useState(false);
  const copy = () => void navigator.clipboard.writeText(line).then(() => setCopied(true));
  return (
    <div className="line-copy">
      <code translate="no" tabIndex={0} role="textbox" aria-readonly="true" aria-label={label ?? t('copy.line')}>
        {line}
      </code>
      <Button size="compact-xs" variant="default" onClick={copy}>
        {isCopied ? t('copy.done') : t('copy.act')}
      </Button>
    </div>
  );
}
