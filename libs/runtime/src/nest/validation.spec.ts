import 'reflect-metadata';
import { IsInt, IsString } from 'class-validator';
import { describe, expect, it } from 'vitest';
import { DomainError } from '../errors.js';
import { MayBeAbsent, validationPipe } from './validation.js';

class Thing {
  @IsString()
  name!: string;

  @MayBeAbsent()
  @IsInt()
  size: number = 7;
}

const check = async (body: unknown): Promise<unknown> => {
  try {
    return await validationPipe().transform(body, { type: 'body', metatype: Thing });
  } catch (error) {
    return error instanceof DomainError ? error.fields.map(({ pointer }) => pointer) : error;
  }
};

describe('a field that may be absent', () => {
  it('has its default then', async () => expect(await check({ name: 'a' })).toEqual({ name: 'a', size: 7 }));
  it('is checked when it is there', async () => expect(await check({ name: 'a', size: 'x' })).toEqual(['/size']));
  it('is not absent when it is null', async () => expect(await check({ name: 'a', size: null })).toEqual(['/size']));
});
