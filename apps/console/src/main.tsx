import './styles.css';
import 'virtual:theme.css';
import { MantineProvider } from '@mantine/core';
import { Notifications } from '@mantine/notifications';
import { QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { RouterProvider } from '@tanstack/react-router';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { isPassing } from './api/problem.js';
import { consoleRouter } from './router.js';
import { startTexts } from './texts/i18n.js';
import { theme } from './theme.js';

const queries = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 5_000, // the live stream says what is stale
      refetchOnWindowFocus: false,
      retry: (failures, error) => isPassing(error) && failures < 3,
    },
  },
});

const router = consoleRouter(queries);

await startTexts();
createRoot(document.getElementById('root') as HTMLElement).render(
  <StrictMode>
    <MantineProvider theme={theme} defaultColorScheme="auto" withCssVariables={false} withGlobalClasses={false}>
      <QueryClientProvider client={queries}>
        <RouterProvider router={router} />
        <Notifications position="bottom-left" />
      </QueryClientProvider>
    </MantineProvider>
  </StrictMode>,
);
