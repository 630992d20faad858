import type { RuleNode, RuleVariable } from './rule-node.js';

/** How many items the longest value of an attribute has: 1 for what is no list. */
type ItemsOf = (variable: RuleVariable, name: string) => number;

/** Bounds of a value: `width` is items of a list or KiB of a string, `item` the width of the widest item. */
interface Weight {
  cost: number;
  width: number;
  item: number;
}

/** Upper bound of the steps of a rule: one a node, one an item looked at, and a comprehension's body once an item. */
export function weigh(root: RuleNode, itemsOf: ItemsOf): number {
  return weight(root, { itemsOf, local: 1 }).cost;
}

interface Scope {
  itemsOf: ItemsOf;
  /** Width of the variable that a comprehension binds. */
  local: number;
}

const scalar = (cost: number): Weight => ({ cost, width: 1, item: 1 });
const volume = ({ width, item }: Weight): number => width * item;

function weight(node: RuleNode, scope: Scope): Weight {
  const of = (child: RuleNode): Weight => weight(child, scope);
  switch (node.op) {
    case 'literal':
    case 'has':
      return scalar(1);
    case 'attribute':
      return { cost: 1, width: scope.itemsOf(node.variable, node.name), item: 1 };
    case 'local':
      return { cost: 1, width: scope.local, item: 1 };
    case 'not':
    case 'negate':
      return scalar(1 + of(node.operand).cost);
    case 'if':
      return widest([of(node.condition), of(node.then), of(node.otherwise)]);
    case 'list':
      return listed(node.items.map(of));
    case 'binary':
      return operation(node.operator, of(node.left), of(node.right));
    case 'call':
      return scalar(node.args.map(of).reduce((sum, arg) => sum + arg.cost + volume(arg), 1));
    default:
      return 'list' in node ? comprehension(node, scope) : scalar(1 + of(node.left).cost + of(node.right).cost);
  }
}

function comprehension(node: RuleNode & { op: 'exists' | 'all' }, scope: Scope): Weight {
  const list = weight(node.list, scope);
  const body = weight(node.body, { ...scope, local: list.item });
  return scalar(1 + list.cost + list.width * (1 + body.cost));
}

function operation(operator: string, left: Weight, right: Weight): Weight {
  const cost = 1 + left.cost + right.cost + volume(left) + volume(right);
  if (operator === '+') return { cost, width: left.width + right.width, item: Math.max(left.item, right.item) };
  return operator === '[]' ? { cost, width: left.item, item: 1 } : scalar(cost);
}

const listed = (items: readonly Weight[]): Weight => ({
  cost: 1 + items.reduce((sum, item) => sum + item.cost, 0),
  width: Math.max(1, items.length),
  item: Math.max(1, ...items.map(volume)),
});

const widest = (branches: readonly Weight[]): Weight => ({
  cost: 1 + branches.reduce((sum, branch) => sum + branch.cost, 0),
  width: Math.max(...branches.map((branch) => branch.width)),
  item: Math.max(...branches.map((branch) => branch.item)),
});
