import type { QueryClient } from '@tanstack/react-query';
import {
  createRootRouteWithContext,
  createRoute,
  createRouter,
  lazyRouteComponent,
  Outlet,
  redirect,
} from '@tanstack/react-router';
import { ApiProblem } from './api/problem.js';
import { meQuery } from './api/queries.js';
import { listSearch } from './campaigns/list-state.js';
import { deviceSearch, filterIn } from './devices/device-state.js';
import { wizardSearch } from './wizard/wizard-state.js';
import { hasSignedIn } from './session/door.js';
import { NotFoundPage } from './shell/not-found-page.js';
import { Trouble, Waiting } from './shell/panels.js';
import { Shell } from './shell/shell.js';
import { textIn } from './shell/search.js';

interface Context {
  queries: QueryClient;
}

/** `as_of` on any page shows it as of that moment. */
const root = createRootRouteWithContext<Context>()({
  component: Outlet,
  validateSearch: (search: Record<string, unknown>): { as_of?: string } => textIn(search, 'as_of'),
});

const signIn = createRoute({
  getParentRoute: () => root,
  path: 'sign-in',
  validateSearch: (search: Record<string, unknown>): { to?: string } => textIn(search, 'to'),
  component: lazyRouteComponent(() => import('./session/sign-in-page.js'), 'SignInPage'),
});

/** Everything behind the door. */
const inside = createRoute({
  getParentRoute: () => root,
  id: 'inside',
  component: Shell,
  beforeLoad: async ({ context, location }) => {
    const away = () => redirect({ to: '/sign-in', search: { to: location.href }, throw: true });
    if (!hasSignedIn()) away();
    await context.queries.ensureQueryData(meQuery).catch((error: unknown) => {
      if (error instanceof ApiProblem && error.status === 401) away();
      throw error;
    });
  },
});

const overview = createRoute({
  getParentRoute: () => inside,
  path: '/',
  component: lazyRouteComponent(() => import('./overview/overview-page.js'), 'OverviewPage'),
});

const campaigns = createRoute({
  getParentRoute: () => inside,
  path: 'campaigns',
  validateSearch: listSearch,
  component: lazyRouteComponent(() => import('./campaigns/campaigns-page.js'), 'CampaignsPage'),
});

const newCampaign = createRoute({
  getParentRoute: () => inside,
  path: 'campaigns/new',
  validateSearch: wizardSearch,
  component: lazyRouteComponent(() => import('./wizard/wizard-page.js'), 'NewCampaignPage'),
});

const editCampaign = createRoute({
  getParentRoute: () => inside,
  path: 'campaigns/$campaignId/edit',
  validateSearch: wizardSearch,
  component: lazyRouteComponent(() => import('./wizard/wizard-page.js'), 'EditCampaignPage'),
});

const campaign = createRoute({
  getParentRoute: () => inside,
  path: 'campaigns/$campaignId',
  validateSearch: (search: Record<string, unknown>): { lost?: string } => textIn(search, 'lost'),
  component: lazyRouteComponent(() => import('./campaigns/campaign-page.js'), 'CampaignPage'),
});

const contents = createRoute({
  getParentRoute: () => inside,
  path: 'contents',
  validateSearch: (search: Record<string, unknown>): { q?: string; sort?: string } => textIn(search, 'q', 'sort'),
  component: lazyRouteComponent(() => import('./contents/contents-page.js'), 'ContentsPage'),
});

const content = createRoute({
  getParentRoute: () => inside,
  path: 'contents/$contentId',
  component: lazyRouteComponent(() => import('./contents/content-page.js'), 'ContentPage'),
});

const rules = createRoute({
  getParentRoute: () => inside,
  path: 'rules',
  validateSearch: (search: Record<string, unknown>): { rule?: string } => textIn(search, 'rule'),
  component: lazyRouteComponent(() => import('./rules/rules-page.js'), 'RulesPage'),
});

const devices = createRoute({
  getParentRoute: () => inside,
  path: 'devices',
  validateSearch: filterIn,
  component: lazyRouteComponent(() => import('./devices/devices-page.js'), 'DevicesPage'),
});

const device = createRoute({
  getParentRoute: () => inside,
  path: 'devices/$deviceId',
  validateSearch: deviceSearch,
  component: lazyRouteComponent(() => import('./devices/device-page.js'), 'DevicePage'),
});

const people = createRoute({
  getParentRoute: () => inside,
  path: 'people',
  validateSearch: (search: Record<string, unknown>): { tab?: string } => textIn(search, 'tab'),
  component: lazyRouteComponent(() => import('./people/people-page.js'), 'PeoplePage'),
});

const operations = createRoute({
  getParentRoute: () => inside,
  path: 'operations',
  component: lazyRouteComponent(() => import('./operations/operations-page.js'), 'OperationsPage'),
});

const pages = [
  overview,
  campaigns,
  newCampaign,
  editCampaign,
  campaign,
  contents,
  content,
  rules,
  devices,
  device,
  people,
];
const routeTree = root.addChildren([signIn, inside.addChildren([...pages, operations])]);

export const consoleRouter = (queries: QueryClient) =>
  createRouter({
    routeTree,
    basepath: '/console',
    context: { queries },
    defaultPreload: 'intent',
    defaultPreloadStaleTime: 0, // the query cache decides
    defaultPendingComponent: Waiting,
    defaultErrorComponent: ({ error, reset }) => <Trouble error={error} onRetry={reset} />,
    defaultNotFoundComponent: NotFoundPage,
    scrollRestoration: true,
  });

declare module '@tanstack/react-router' {
  interface Register {
    router: ReturnType<typeof consoleRouter>;
  }
}
