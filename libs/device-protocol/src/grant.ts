/**
 * Claims of a grant: a compact JWS (EdDSA) by a key in the target `policy/grant-keys`, sent as `Authorization: Grant <jws>`
 * on `GET /d/v1/contents/<id>`. `exp` concerns the start of a range request; the agent asks again for the same
 * request hash and resumes.
 */
export interface GrantClaims {
  /** Device id. */
  sub: string;
  tenant: string;
  content: string;
  campaign: string;
  /** sha-256 (base64url) of the canonical request: `<deviceId>\n<contentId>\n<campaignId>`. */
  req: string;
  /** TUF snapshot version that the request was matched against. */
  snap: number;
  iat: number;
  exp: number;
  jti: string;
}

export const GRANT_SECONDS = 600;
export const GRANT_SCHEME = 'Grant';
