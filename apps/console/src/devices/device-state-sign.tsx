import type { Device } from '../api/wire.js';
import { useWords } from '../shell/words.js';

const TONES = { active: 'go', revoked: 'bad', forgotten: 'quiet' } as const;

export function DeviceStateSign({ status }: { status: Device['status'] }) {
  const { t } = useWords();
  return (
    <span className="state" data-tone={TONES[status]}>
      {t(`device.status.${status}`)}
    </span>
  );
}
