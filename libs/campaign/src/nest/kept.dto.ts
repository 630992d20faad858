import { IsObject, IsUUID } from 'class-validator';
import type { AttributeValue } from '#device-protocol/index.js';
import type { ValueSource } from '#matching/index.js';
import type { SourcedValue } from '../values.js';

export class DeviceParams {
  @IsUUID()
  id!: string;
}

export class KeepAttributesDto {
  /** By name, as the tenant's schema has them; `null` removes one. What is not named stays as it is. */
  @IsObject()
  attributes!: object;
}

export class SourcedValueView {
  name!: string;

  /** As JSON has it; integers beyond 2^53 are decimal text. */
  value!: AttributeValue;

  /** Who says so: the device itself, or what is kept of it here. */
  source!: ValueSource;

  at!: string;
}

/** What a device is compared by where the server compares, each value with its source. */
export class DeviceAttributesView {
  deviceId!: string;

  attributes!: SourcedValueView[];
}

export const viewOfValues = (
  deviceId: string,
  values: Readonly<Record<string, SourcedValue>>,
): DeviceAttributesView => ({
  deviceId,
  attributes: Object.entries(values)
    .map(([name, value]) => ({ name, ...value }))
    .sort((a, b) => (a.name < b.name ? -1 : 1)),
});
