import { useNavigate } from '@tanstack/react-router';
import { useEffect } from 'react';
import { PAGES } from './pages.js';

const isTyping = (target: EventTarget | null): boolean =>
  target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName));

/** Longest pause between `g` and the letter of the page. */
const CHORD_MS = 1_500;

/** Ctrl-K or ? opens the palette, `g` and a letter goes to a page, `/` to the page's filter. */
export function useShortcuts(openPalette: () => void): void {
  const navigate = useNavigate();
  useEffect(() => {
    let gAt = -Infinity;
    const onKey = (event: KeyboardEvent) => {
      if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === 'k') {
        event.preventDefault();
        openPalette();
        return;
      }
      if (isTyping(event.target) || event.ctrlKey || event.metaKey || event.altKey) return;
      const page = event.timeStamp - gAt < CHORD_MS ? PAGES.find(({ key }) => key === event.key) : undefined;
      gAt = event.key === 'g' ? event.timeStamp : -Infinity;
      if (page !== undefined) void navigate({ to: page.to });
      if (event.key === '?') openPalette();
      const filter = document.querySelector<HTMLElement>('[data-filter]');
      if (event.key === '/' && filter !== null) {
        event.preventDefault();
        filter.focus();
      }
    };
    document.addEventListener('keydown', onKey);
    return () => document.removeEventListener('keydown', onKey);
  }, [navigate, openPalette]);
}
