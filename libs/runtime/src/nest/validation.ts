import { ValidationPipe } from '@nestjs/common';
import { ValidateIf, type ValidationError } from 'class-validator';
import { DomainError, type FieldError } from '../errors.js';

/** Checks every DTO: what it does not name is refused, and each fault is told by its JSON pointer. */
export const validationPipe = (): ValidationPipe =>
  new ValidationPipe({
    whitelist: true,
    forbidNonWhitelisted: true,
    transform: true,
    validationError: { target: false, value: false },
    exceptionFactory: (errors) =>
      new DomainError(
        'validation.failed',
        {},
        'the input does not have the form that the route asks',
        fieldsOf(errors),
      ),
  });

/** The field may be left out. Unlike with `IsOptional`, null is a value like any other, and refused by what follows. */
export const MayBeAbsent = (): PropertyDecorator => ValidateIf((_, value) => value !== undefined);

/** Flattens nested faults: `{ windows: [{ from }] }` → `/windows/0/from` (RFC 6901). */
export function fieldsOf(errors: readonly ValidationError[], base = ''): FieldError[] {
  return errors.flatMap(({ property, constraints, children }) => {
    const pointer = `${base}/${property.replaceAll('~', '~0').replaceAll('/', '~1')}`;
    const own = Object.values(constraints ?? {}).map((message) => ({ pointer, message }));
    return [...own, ...fieldsOf(children ?? [], pointer)];
  });
}
