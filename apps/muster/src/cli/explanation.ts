import type { ExplainedCondition, ExplainedGate, ExplainedOffer, ExplainedRule, Explanation } from '#matching/index.js';
import type { Output } from './output.js';

type Colours = Output['colours'];
type Shown = Record<string, unknown>;

/** Lines for people: each content with its gates, the one that stopped it, and the rule as a tree. */
export function explanationLines({ offers, at }: Explanation, colours: Colours): string {
  if (offers.length === 0) return colours.dim('the campaign has no content');
  return offers.map((offer) => offerLines(offer, at, colours).join('\n')).join('\n\n');
}

function offerLines(
  { contentId, offered, stoppedBy, gates, rule, history }: ExplainedOffer,
  at: string,
  colours: Colours,
): string[] {
  const verdict = {
    true: colours.green('is offered it'),
    false: colours.red(`is not offered it: ${stoppedBy}`),
    unknown: colours.yellow('may be offered it: not everything is known here'),
  }[String(offered) as 'true' | 'false' | 'unknown'];
  return [
    `content ${plain(contentId)}`,
    `${verdict} ${colours.dim(`(at ${at})`)}`,
    ...gates.flatMap((gate) => [gateLine(gate, colours), ...(gate.gate === 'no-fit' ? ruleLines(rule, colours) : [])]),
    ...history.map(({ event, code, at: when }) =>
      colours.dim(`  ${when}  ${event}${code === null ? '' : ` ${plain(code)}`}`),
    ),
  ];
}

const mark = (truth: boolean | 'unknown', colours: Colours): string =>
  truth === 'unknown' ? colours.yellow('?') : truth ? colours.green('✓') : colours.red('✗');

function gateLine({ gate, passes, because, value, source, at }: ExplainedGate, colours: Colours): string {
  const looked = Object.entries(value as Shown).map(([name, each]) => `${name} ${textOf(each)}`);
  const from = [source, ...(at === null ? [] : [at])].join(' ');
  const about = [...looked, ...(because === undefined ? [] : [because])].join(', ');
  return `  ${mark(passes, colours)} ${gate.padEnd(12)} ${about}${about === '' ? '' : ' '}${colours.dim(`[${from}]`)}`;
}

/** What a rule comes to, condition by condition. */
export function ruleLines(rule: ExplainedRule | null, colours: Colours): string[] {
  if (rule === null) return [];
  const changes = rule.wouldMatchIf?.map(({ condition, to }) => `${plain(condition)} were ${to}`);
  return [
    ...(rule.refused === undefined ? [] : [`      ${colours.red(rule.refused)}`]),
    ...(rule.condition === null ? [] : conditionLines(rule.condition, '      ', colours)),
    ...(changes === undefined ? [] : [`      ${colours.dim('would match if')} ${changes.join(', and ')}`]),
  ];
}

function conditionLines(
  { condition, result, because, error, values, parts }: ExplainedCondition,
  indent: string,
  colours: Colours,
): string[] {
  const read = values?.map(
    ({ attribute, value, source, at }) => `${attribute} is ${textOf(value)} [${source}${at === null ? '' : ` ${at}`}]`,
  );
  const why = [...(read ?? []), ...(because === undefined ? [] : [because]), ...(error === undefined ? [] : [error])];
  const line = `${indent}${mark(result, colours)} ${plain(condition)}${why.length === 0 ? '' : `  ${colours.dim(why.join(', '))}`}`;
  return [line, ...(parts ?? []).flatMap((part) => conditionLines(part, `${indent}  `, colours))];
}

const textOf = (value: unknown): string => (value === null ? 'nothing' : plain(JSON.stringify(value)));

/** Control characters of what others wrote would steer the terminal. */
const plain = (text: string): string => text.replace(/[\u0000-\u001f\u007f-\u009f]/g, '\ufffd');
