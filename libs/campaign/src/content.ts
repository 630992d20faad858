import { isDeepStrictEqual } from 'node:util';
import { type AttributeSchema, checkRule } from '#matching/index.js';
import { CampaignError } from './errors.js';
import type { ContentEvent } from './events.js';

export type Published = Extract<ContentEvent, { type: 'ContentPublished' }>['data'];

export interface ContentState {
  published: Published | null;
  withdrawn: boolean;
}

export type ContentCommand =
  /** `schema` is the tenant's, that the selector is checked against. */
  | { type: 'PublishContent'; data: Published; schema: AttributeSchema }
  | { type: 'WithdrawContent'; data: { contentId: string; reason: string } };

export const noContent: ContentState = { published: null, withdrawn: false };

export function evolveContent(state: ContentState, event: ContentEvent): ContentState {
  switch (event.type) {
    case 'ContentPublished':
      return { published: event.data, withdrawn: false };
    case 'ContentWithdrawn':
      return { ...state, withdrawn: true };
  }
}

/** A content never changes once published: a campaign, an offer and a grant name it by id. @throws CampaignError, MatchingError */
export function decideContent(state: ContentState, command: ContentCommand): ContentEvent[] {
  const { contentId } = command.data;
  switch (command.type) {
    case 'PublishContent':
      if (state.published !== null && !isDeepStrictEqual(state.published, command.data))
        throw new CampaignError('content.exists', { contentId }, 'this content id is taken');
      checkRule(command.data.selector, command.schema, 'selector', '/selector');
      return state.published === null ? [{ type: 'ContentPublished', data: command.data }] : [];
    case 'WithdrawContent':
      if (state.published === null) throw new CampaignError('content.unknown', { contentId }, 'no such content');
      return state.withdrawn ? [] : [{ type: 'ContentWithdrawn', data: command.data }];
  }
}

export const contentDecider = {
  topic: 'muster.content' as const,
  initial: noContent,
  decide: decideContent,
  evolve: evolveContent,
};
