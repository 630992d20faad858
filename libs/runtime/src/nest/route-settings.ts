import { applyDecorators } from '@nestjs/common';
import { RouteConfig } from '@nestjs/platform-fastify';
import { FASTIFY_ROUTE_CONFIG_METADATA } from '@nestjs/platform-fastify/constants.js';
import { ApiExtension } from '@nestjs/swagger';
import type { FastifyRequest } from 'fastify';
import { NEVER_DRY } from '../trial.js';

/** What a route says about itself, kept in Fastify's `config` of the route. */
export interface RouteSettings {
  bodyLimit?: number;
  streamsBody?: boolean;
  showsSecret?: boolean;
  neverDry?: boolean;
  mayBeEmpty?: boolean;
}

/** Adds to what other decorators of the route have said: Nest's own `RouteConfig` would replace it. */
export const RouteSetting =
  (settings: RouteSettings): MethodDecorator =>
  (prototype, name, descriptor) => {
    const handler = descriptor.value as object;
    const known = Reflect.getMetadata(FASTIFY_ROUTE_CONFIG_METADATA, handler) as RouteSettings | undefined;
    RouteConfig({ ...known, ...settings })(prototype, name, descriptor);
  };

/** Gives a route its own limit of the body, bytes. */
export const BodyLimit = (bytes: number): MethodDecorator => RouteSetting({ bodyLimit: bytes });

/** The handler reads `request.raw` itself, of any size; the body only has to keep coming. Its answer is not kept for a retry. */
export const StreamsBody = (): MethodDecorator => RouteSetting({ streamsBody: true });

/** A body of no bytes is none, whatever type it is said to be of: some clients always say one. */
export const MayBeEmpty = (): MethodDecorator => RouteSetting({ mayBeEmpty: true });

export const mayBeEmpty = ({ routeOptions }: FastifyRequest): boolean =>
  (routeOptions.config as RouteSettings | undefined)?.mayBeEmpty === true;

/** What the route does cannot be taken back, or must not be had for nothing: `?dry_run=true` is refused. */
export const NeverDry = (): MethodDecorator =>
  applyDecorators(RouteSetting({ neverDry: true }), ApiExtension(NEVER_DRY, true));

export const isNeverDry = ({ routeOptions }: FastifyRequest): boolean =>
  (routeOptions.config as RouteSettings | undefined)?.neverDry === true;

export const streamsBody = ({ routeOptions }: FastifyRequest): boolean =>
  (routeOptions.config as RouteSettings | undefined)?.streamsBody === true;

/** Routes of the handset's port, hawkBit's among them; all others are for people. `/` at the end, so that `/devices` is not one. */
export const HANDSET_ROUTES = /^\/(tuf|d|enrol|:tenant\/controller)\//;
