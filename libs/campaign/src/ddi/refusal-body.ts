/** hawkBit's names of what it refuses, spelt as its clients know them. */
const KNOWN: Readonly<Record<string, readonly [errorCode: string, exceptionClass: string]>> = {
  'ddi.malformed': ['rest.body.notReadable', 'exception.MessageNotReadableException'],
  'request.malformed': ['rest.body.notReadable', 'exception.MessageNotReadableException'],
  'validation.failed': ['rest.body.notReadable', 'exception.MessageNotReadableException'],
  'ddi.attribute': ['repo.invalidTargetAttributes', 'repository.exception.InvalidTargetAttributeException'],
  'ddi.unknown': ['repo.entitiyNotFound', 'repository.exception.EntityNotFoundException'],
  'ddi.not-cancelable': ['action.notcancelable', 'repository.exception.CancelActionNotAllowedException'],
  'ddi.too-many': ['quota.tooManyEntries', 'repository.exception.AssignmentQuotaExceededException'],
  'facts.too-many': ['quota.tooManyEntries', 'repository.exception.AssignmentQuotaExceededException'],
  'ddi.auto-confirmed': ['autoConfirmAlreadyActive', 'repository.exception.AutoConfirmationAlreadyActiveException'],
};
const ANY = ['repo.genericError', 'repository.exception.GenericException'] as const;

/**
 * A refusal in hawkBit's form; of a credential that is none the body is empty.
 * @param problem as every other route would tell it
 */
export function hawkbitRefusal(problem: {
  status: number;
  code: string;
  title: string;
  detail?: string;
  errors?: readonly { pointer: string; message: string }[];
}): object | undefined {
  if (problem.status === 401) return undefined;
  const [errorCode, exceptionClass] = KNOWN[problem.code] ?? ANY;
  const { detail = problem.title, errors } = problem;
  return {
    exceptionClass: `org.eclipse.hawkbit.${exceptionClass}`,
    errorCode: `hawkbit.server.error.${errorCode}`,
    message: detail,
    ...(errors === undefined ? {} : { info: { errors, code: problem.code } }),
  };
}
