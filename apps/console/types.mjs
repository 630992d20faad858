// The console's only word about the server: types of `deploy/openapi.json`, made anew for each check and each build, kept nowhere.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import openapiTS, { astToString } from 'openapi-typescript';

const root = path.resolve(import.meta.dirname, '../..');
const target = path.join(root, 'dist/console-types/openapi.d.ts');
const document = JSON.parse(readFileSync(path.join(root, 'deploy/openapi.json'), 'utf8'));
const text = astToString(await openapiTS(document, { defaultNonNullable: false }));
mkdirSync(path.dirname(target), { recursive: true });
// An untouched file keeps the type checker's memory of it.
if (!existsSync(target) || readFileSync(target, 'utf8') !== text) writeFileSync(target, text);
