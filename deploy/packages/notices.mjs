import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';

/** Names, versions and licence texts of the packages that modules of a bundle are from: their licences ask for it. */
export function notices(modules) {
  const folders = new Set(modules.map(packageFolder).filter((folder) => folder !== undefined));
  const texts = [...folders].map(noticeOf).sort();
  if (texts.length === 0) return 'This package holds no code of others.\n';
  return ['This package holds code of others, under their own licences.', ...texts].join(`\n\n${'-'.repeat(80)}\n`);
}

/** The innermost one: a package may bring others of its own. */
function packageFolder(module) {
  const at = module.lastIndexOf('/node_modules/');
  if (at === -1) return undefined;
  const [scope, name] = module.slice(at + '/node_modules/'.length).split('/');
  return path.join(module.slice(0, at), 'node_modules', scope, scope.startsWith('@') ? name : '');
}

function noticeOf(folder) {
  const { name, version, license } = JSON.parse(readFileSync(path.join(folder, 'package.json'), 'utf8'));
  const file = readdirSync(folder).find((each) => /^licen[cs]e/i.test(each));
  const text = file === undefined ? `Licence: ${license}` : readFileSync(path.join(folder, file), 'utf8').trim();
  return `${name} ${version} (${license})\n\n${text}\n`;
}
