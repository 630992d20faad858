import { Admissions } from './admissions.js';
import { AudienceController } from './audience.controller.js';
import { CountAudienceHandler, TryRuleHandler } from './audience.handler.js';
import { Audiences } from './audiences.js';
import { Availability } from './availability.js';
import { CampaignClock } from './campaign-clock.js';
import { CampaignController } from './campaign.controller.js';
import { CatalogueServer } from './catalogue-server.js';
import { Catalogues } from './catalogues.js';
import { ChannelKeys } from './channel-keys.js';
import { Channels } from './channels.js';
import { Consequences } from './consequences.js';
import { ContentDigests } from './content-digests.js';
import { ContentController } from './content.controller.js';
import { DdiActions } from './ddi/ddi-actions.js';
import { DdiArtifacts } from './ddi/ddi-artifacts.js';
import { DdiChoice } from './ddi/ddi-choice.js';
import { DdiConsentController } from './ddi/ddi-consent.controller.js';
import { DdiConsent } from './ddi/ddi-consent.js';
import { DdiController } from './ddi/ddi.controller.js';
import { DdiDebts } from './ddi/ddi-debts.js';
import { DdiDownloads } from './ddi/ddi-downloads.js';
import { DdiGuard } from './ddi/ddi-guard.js';
import { DdiPolls } from './ddi/ddi-polls.js';
import { DdiRecord } from './ddi/ddi-record.js';
import { DdiReports } from './ddi/ddi-reports.js';
import { DdiDevices } from './ddi/ddi-devices.js';
import { DdiRows } from './ddi/ddi-rows.js';
import { Described } from './described.js';
import { DeviceController } from './device.controller.js';
import { DeviceFacts } from './device-facts.js';
import { DeviceVisits } from './device-visits.js';
import { DryRunController } from './dry-run.controller.js';
import { SimulateCampaignHandler, SubmitForReviewHandler } from './dry-run.handler.js';
import { DryRuns } from './dry-runs.js';
import { Duties } from './duty.js';
import { Exchange } from './exchange.js';
import { ExplainController } from './explain.controller.js';
import { ExplainDeviceHandler } from './explain.handler.js';
import { FactBudget } from './fact-budget.js';
import { FactWriter } from './fact-writer.js';
import { FileStore } from './file-store.js';
import { FirstChannel } from './first-channel.js';
import { FollowUp } from './follow-up.js';
import { GrantOffice } from './grant-office.js';
import { ChannelTransactions } from './in-channel.js';
import { Inboxes } from './inbox.js';
import { InboxAnswers } from './inbox-answers.js';
import { InboxOrders } from './inbox-orders.js';
import { KeptController } from './kept.controller.js';
import { DescribeDeviceHandler, GetAttributesHandler } from './kept.handler.js';
import { Leases } from './leases.js';
import { LiveBoard } from './live-board.js';
import { Moments } from './moments.js';
import { Outcomes } from './outcomes.js';
import { PollIntervals } from './poll-intervals.js';
import { PollRecorder } from './poll-recorder.js';
import { PollShortCut } from './poll-short-cut.js';
import { Publisher } from './publisher.js';
import { ListUploadsHandler } from './list-uploads.handler.js';
import { GetOneHandler, GetVocabularyHandler, ListOfHandler } from './read-campaign.handler.js';
import { RepositoryKeeper } from './repository-keeper.js';
import { RoleExpiry } from './role-expiry.js';
import { RunCampaignHandler } from './run-campaign.handler.js';
import { AddChannelHandler, RotateKeysHandler } from './run-channel.handler.js';
import { RunContentHandler } from './run-content.handler.js';
import { RunVocabularyHandler } from './run-vocabulary.handler.js';
import { Selections } from './selections.js';
import { ServedFiles } from './served-files.js';
import { SilentController } from './silent.controller.js';
import {
  GetWakeTargetHandler,
  ListSilentHandler,
  RemoveWakeTargetHandler,
  SetWakeTargetHandler,
  WakeSilentHandler,
} from './silent.handler.js';
import { SilentDevices } from './silent-devices.js';
import { StaleUploads } from './stale-uploads.js';
import { Supervisor } from './supervisor.js';
import { TargetDoor } from './target-door.js';
import { Tellings } from './tellings.js';
import { PerTenant, TENANT_DUTIES, Timer } from './timer.js';
import { ToldValues } from './told-values.js';
import { Transfers } from './transfers.js';
import { Transmissions } from './transmissions.js';
import { TufController } from './tuf.controller.js';
import { UnreferencedBytes } from './unreferenced-bytes.js';
import { UploadController } from './upload.controller.js';
import { Uploads } from './uploads.js';
import { WakeTargets } from './wake-targets.js';
import { VocabularyController } from './vocabulary.controller.js';
import { DueTenants } from './webhooks/due-tenants.js';
import { NoticeFollower } from './webhooks/notice-follower.js';
import { NoticeQueue } from './webhooks/notice-queue.js';
import { NoticeSender } from './webhooks/notice-sender.js';
import { WebhookRows } from './webhooks/webhook-rows.js';
import { WebhookController } from './webhooks/webhook.controller.js';
import { webhookCommands, webhookQueries } from './webhooks/webhook.handler.js';

const keeping = [ChannelKeys, Channels, ChannelTransactions, FirstChannel, LiveBoard, Publisher, RepositoryKeeper];
const serving = [
  Admissions,
  Availability,
  CatalogueServer,
  Described,
  DeviceFacts,
  DeviceVisits,
  Exchange,
  FactBudget,
  FactWriter,
  GrantOffice,
  Inboxes,
  InboxAnswers,
  Leases,
  Moments,
  Outcomes,
  PollShortCut,
  Tellings,
  Transmissions,
];
const ddi = [
  DdiActions,
  DdiArtifacts,
  DdiChoice,
  DdiConsent,
  DdiDebts,
  DdiDownloads,
  DdiGuard,
  DdiPolls,
  DdiRecord,
  DdiReports,
  DdiDevices,
  DdiRows,
];
const storing = [ContentDigests, DryRuns, FileStore, PollIntervals, PollRecorder, ServedFiles, Transfers, Uploads];
const telling = [
  DueTenants,
  NoticeFollower,
  NoticeQueue,
  NoticeSender,
  SilentDevices,
  Audiences,
  ToldValues,
  TargetDoor,
  WakeTargets,
  WebhookRows,
];
const following = [Consequences, Duties, FollowUp, InboxOrders];
const duties = [CampaignClock, Supervisor, Catalogues, Selections, StaleUploads, RoleExpiry];
const timed = [
  ...duties,
  { provide: TENANT_DUTIES, useFactory: (...each: object[]) => each, inject: duties },
  PerTenant,
  Timer,
  UnreferencedBytes,
];
const commands = [
  AddChannelHandler,
  DescribeDeviceHandler,
  RotateKeysHandler,
  RunCampaignHandler,
  RunContentHandler,
  RunVocabularyHandler,
  SubmitForReviewHandler,
  ...[RemoveWakeTargetHandler, SetWakeTargetHandler, WakeSilentHandler],
  ...webhookCommands,
];
const queries = [
  ExplainDeviceHandler,
  CountAudienceHandler,
  TryRuleHandler,
  GetAttributesHandler,
  GetOneHandler,
  GetVocabularyHandler,
  ListUploadsHandler,
  ListOfHandler,
  SimulateCampaignHandler,
  GetWakeTargetHandler,
  ListSilentHandler,
  ...webhookQueries,
];

/** Everything of this room that Nest makes, by what it is for. */
export const campaignProviders = [
  ...keeping,
  ...serving,
  ...ddi,
  ...storing,
  ...following,
  ...telling,
  ...timed,
  ...commands,
  ...queries,
];

export const campaignControllers = [
  CampaignController,
  ContentController,
  DdiConsentController,
  DdiController,
  DeviceController,
  DryRunController,
  ExplainController,
  AudienceController,
  KeptController,
  SilentController,
  TufController,
  UploadController,
  VocabularyController,
  WebhookController,
];
