import { SetMetadata } from '@nestjs/common';
import type { Reflector } from '@nestjs/core';

const SUPPORTED = Symbol('as-of');

/** Marks a read route that answers for the past; `as_of` is refused by all others. */
export const SupportsAsOf = (): MethodDecorator => SetMetadata(SUPPORTED, true);

export const supportsAsOf = (reflector: Reflector, handler: Parameters<Reflector['get']>[1]): boolean =>
  reflector.get<boolean | undefined>(SUPPORTED, handler) === true;
