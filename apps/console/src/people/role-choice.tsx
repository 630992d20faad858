import { Checkbox, Stack } from '@mantine/core';
import '@mantine/core/styles/Checkbox.css';
import type { Role } from '../api/wire.js';
import { useWords } from '../shell/words.js';

export const ROLES = [
  'viewer',
  'author',
  'approver',
  'operator',
  'analyst',
  'admin',
] as const satisfies readonly Role[];

interface RoleChoiceProps {
  value: readonly Role[];
  onChange: (roles: Role[]) => void;
  /** Only these can be given. */
  among?: readonly Role[];
}

/** Roles add up; each says what it lets one do. */
export function RoleChoice({ value, onChange, among = ROLES }: RoleChoiceProps) {
  const { t } = useWords();
  return (
    <Checkbox.Group label={t('people.roles')} value={[...value]} onChange={(roles) => onChange(roles)}>
      <Stack gap="xs" mt="xs">
        {ROLES.filter((role) => among.includes(role)).map((role) => (
          <Checkbox key={role} value={role} label={t(`role.${role}`)} description={t(`role.hint.${role}`)} />
        ))}
      </Stack>
    </Checkbox.Group>
  );
}
