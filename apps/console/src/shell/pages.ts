import type { Permission } from '../session/permissions.js';

/** Where one can go, in the order of the menu; `key` after `g` goes there. */
export const PAGES = [
  { to: '/', text: 'nav.overview', key: 'o', isExact: true },
  { to: '/campaigns', text: 'nav.campaigns', key: 'c', needs: 'campaign:read' },
  { to: '/contents', text: 'nav.contents', key: 'l', needs: 'content:read' },
  { to: '/rules', text: 'nav.rules', key: 'r', needs: 'schema:read' },
  { to: '/devices', text: 'nav.devices', key: 'd', needs: 'device:read' },
  { to: '/people', text: 'nav.people', key: 'p', needs: 'user:read' },
  { to: '/operations', text: 'nav.operations', key: 'x', needs: 'projection:read' },
] as const satisfies readonly {
  to: string;
  text: string;
  key: string;
  isExact?: true;
  needs?: Permission;
}[] as readonly Page[];

interface Page {
  to: '/' | '/campaigns' | '/contents' | '/rules' | '/devices' | '/people' | '/operations';
  text:
    | 'nav.overview'
    | 'nav.campaigns'
    | 'nav.contents'
    | 'nav.rules'
    | 'nav.devices'
    | 'nav.people'
    | 'nav.operations';
  key: string;
  isExact?: true;
  needs?: Permission;
}
