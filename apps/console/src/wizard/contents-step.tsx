import { TextInput } from '@mantine/core';
import { useInfiniteQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { contentsQuery } from '../api/queries.js';
import { Answer } from '../shell/answer.js';
import { Panel } from '../shell/panels.js';
import { useWords } from '../shell/words.js';
import { EVERYBODY } from './draft-form.js';
import type { StepProps } from './step-props.js';

/** What it is called, and what it brings. */
export function ContentsStep({ form, change, at }: StepProps) {
  const { t, bytes } = useWords();
  const query = useInfiniteQuery(contentsQuery);
  const toggle = (id: string) =>
    change({
      contents: form.contents.includes(id) ? form.contents.filter((each) => each !== id) : [...form.contents, id],
    });
  return (
    <div className="column">
      <section className="card">
        <TextInput
          label={t('wizard.name')}
          required
          maxLength={200}
          value={form.name}
          onChange={(event) => change({ name: event.currentTarget.value })}
          error={at('/name')}
        />
      </section>
      <fieldset className="card">
        <legend>{t('settings.contents')}</legend>
        <Answer of={query}>
          {({ pages }) => {
            const contents = pages.flatMap(({ items }) => items).filter(({ withdrawn }) => !withdrawn);
            if (contents.length === 0)
              return (
                <Panel
                  kind="empty"
                  title={t('contents.none')}
                  acts={<Link to="/contents">{t('contents.upload')}</Link>}
                >
                  <p>{t('contents.noneHint')}</p>
                </Panel>
              );
            return (
              <ul className="plain-list picks">
                {contents.map(({ contentId, description: { name, version }, sizeBytes, selector }) => (
                  <li key={contentId}>
                    <label>
                      <input
                        type="checkbox"
                        checked={form.contents.includes(contentId)}
                        onChange={() => toggle(contentId)}
                      />
                      <span className="wrap" translate="no">{`${name} ${version}`}</span>
                      <span className="quiet" translate="no">
                        {bytes(sizeBytes)}
                      </span>
                    </label>
                    {selector !== EVERYBODY && (
                      <code className="mono quiet" translate="no">
                        {selector}
                      </code>
                    )}
                  </li>
                ))}
              </ul>
            );
          }}
        </Answer>
      </fieldset>
    </div>
  );
}
