import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import type { INestApplication } from '@nestjs/common';
import { DocumentBuilder, SwaggerModule } from '@nestjs/swagger';

/**
 * The OpenAPI 3.1 description of an application's routes, as text in one order: the same routes give the same bytes. Types and
 * texts come from the DTOs and docstrings by the swagger plugin of `nest build`, so only the built program can say it.
 */
function describe(app: INestApplication): string {
  const { version } = JSON.parse(readFileSync(new URL('../../../../../package.json', import.meta.url), 'utf8')) as {
    version: string;
  };
  const about = new DocumentBuilder()
    .setTitle('Muster')
    .setDescription(
      'Download campaigns to handsets. Refusals are problem documents (RFC 9457); lists are cursor pages.',
    )
    .setVersion(version)
    .setOpenAPIVersion('3.1.0')
    .addBearerAuth({ type: 'http', scheme: 'bearer' }, 'person')
    .addSecurityRequirements('person')
    .build();
  const document = SwaggerModule.createDocument(app, about, {
    operationIdFactory: (controller, method) => `${controller.replace(/Controller$/, '')}_${method}`.toLowerCase(),
  });
  return `${JSON.stringify(sorted(document), null, 2)}\n`;
}

/** Keys in one order, so that the order in which modules load does not show. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, part]) => [name, sorted(part)]),
  );
}

/** Writes `deploy/openapi.json`. */
export function writeOpenApi(app: INestApplication, file: string): void {
  writeFileSync(file, describe(app));
}

/** @returns the first line in which the file differs from what the routes say; undefined when it is up to date */
export function openApiDrift(app: INestApplication, file: string): string | undefined {
  const wanted = describe(app).split('\n');
  const found = existsSync(file) ? readFileSync(file, 'utf8').split('\n') : [];
  const at = wanted.findIndex((line, index) => line !== found[index]);
  if (at < 0 && wanted.length === found.length) return undefined;
  return `line ${at + 1}: wanted ${wanted[at] ?? 'the end'}, found ${found[at] ?? 'the end'}`;
}
