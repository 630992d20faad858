import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import type { DynamicModule } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { DocumentBuilder, SwaggerModule } from '@nestjs/swagger';
import { complete, firstDifference, type OpenApiDocument, sorted } from '../open-api-document.js';

export interface DescribedApp {
  module: DynamicModule;
  version: string;
  /** `deploy/openapi.json`. */
  file: string;
}

/**
 * The OpenAPI 3.1 description of a module's routes, as text: the same routes give the same bytes. No database is needed,
 * because Nest's preview makes no provider. Types and texts come from DTOs and docstrings by the swagger plugin of
 * `nest build`, so only the built program can say it.
 */
async function describe({ module, version }: DescribedApp): Promise<string> {
  const app = await NestFactory.create(module, new FastifyAdapter(), { preview: true, logger: false });
  const about = new DocumentBuilder()
    .setTitle('Muster')
    .setDescription('Download campaigns to handsets. Lists are cursor pages; times are RFC 3339, UTC.')
    .setVersion(version)
    .setOpenAPIVersion('3.1.0')
    .build();
  const document = SwaggerModule.createDocument(app, about, {
    operationIdFactory: (controller, method) => `${controller.replace(/Controller$/, '')}_${method}`.toLowerCase(),
  });
  return `${JSON.stringify(sorted(complete(document as unknown as OpenApiDocument)), null, 2)}\n`;
}

export async function writeOpenApi(app: DescribedApp): Promise<void> {
  writeFileSync(app.file, await describe(app));
}

/** @returns the first line in which the file is not what the routes say; undefined when it is up to date */
export async function openApiDrift(app: DescribedApp): Promise<string | undefined> {
  return firstDifference(await describe(app), existsSync(app.file) ? readFileSync(app.file, 'utf8') : '');
}
