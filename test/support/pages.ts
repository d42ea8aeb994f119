/**
 * Reads the pages for people: README.md and docs/*.md. `page-runs.ts` runs the blocks that they show.
 *
 * A test of a page, `test/docs/NAME.test.ts`, takes every block of the page and runs it:
 *
 * ```ts
 * const page = openPage('docs/echo.md');
 * const [server, client] = page.blocks('console', 'First steps'); // outside of test(): a test may be skipped
 * testInNamespaces('two terminals show what the page shows', async () => {
 *   await using place = await openPlace();
 *   await place.replay(server, client);
 * });
 * testAllTaken(page); // the last test of the file
 * ```
 */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from '@jest/globals';

/** Path of the repository. */
export const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** Text between two fences. */
export interface Block {
  /** Word behind the first fence, such as `console`; empty where there is none. */
  readonly language: string;
  /** The lines, each with its newline. */
  readonly code: string;
  /** Heading of the section that the block stands in, as written; empty before the first one. */
  readonly heading: string;
  /** Line of the first fence in the page, from 1. */
  readonly line: number;
}

/** A page, and the blocks of it that a test has taken. */
export class Page {
  /** Path from the root of the repository, such as `docs/echo.md`. */
  readonly path: string;
  readonly text: string;
  readonly #blocks: readonly Block[];
  readonly #taken = new Set<Block>();

  constructor(path: string, text: string) {
    this.path = path;
    this.text = text;
    this.#blocks = readBlocks(text);
  }

  /**
   * The blocks of one language, in order: those below `heading`, or all. They count as tried, so run what you take.
   *
   * @throws Error if there is none
   */
  blocks(language: string, heading?: string): [Block, ...Block[]] {
    const [first, ...others] = this.#blocks.filter(
      (block) => block.language === language && (heading === undefined || block.heading === heading),
    );
    if (first === undefined) {
      throw new Error(
        `${this.path} has no \`\`\`${language} block${heading === undefined ? '' : ` below "${heading}"`}`,
      );
    }
    for (const block of [first, ...others]) this.#taken.add(block);
    return [first, ...others];
  }

  /**
   * The only block of one language below `heading`, or in the page; it counts as tried.
   *
   * @throws Error if there is none, or more than one
   */
  block(language: string, heading?: string): Block {
    const [only, ...others] = this.blocks(language, heading);
    if (others.length > 0) throw new Error(`${this.path} has ${others.length + 1} \`\`\`${language} blocks there`);
    return only;
  }

  /** Blocks that have to be tried and were not taken, each as its line, language and first words. */
  untaken(): string[] {
    return this.#blocks
      .filter((block) => needsTest(block) && !this.#taken.has(block))
      .map(({ line, language, code }) => `${this.path}:${line} ${language}: ${code.split('\n')[0] ?? ''}`);
  }

  /** Whether the page has a block that has to be tried. */
  get needsTest(): boolean {
    return this.#blocks.some(needsTest);
  }

  /** Anchors of the headings, as GitHub makes them. */
  anchors(): Set<string> {
    const anchors = new Set<string>();
    for (const [, heading = ''] of withoutCode(this.text).matchAll(/^#+ (.*)$/gm)) {
      const slug = heading
        .toLowerCase()
        .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
        .replaceAll(' ', '-');
      let anchor = slug;
      for (let again = 1; anchors.has(anchor); again += 1) anchor = `${slug}-${again}`;
      anchors.add(anchor);
    }
    return anchors;
  }

  /** Targets of the links to other pages, files and headings, as written; not those to web pages. */
  links(): string[] {
    const text = withoutCode(this.text).replaceAll(/`[^`\n]*`/g, '``');
    return [...text.matchAll(/\]\(([^)\s]+)\)|(?:src|href)="([^"]+)"/g)]
      .map(([, target, attribute]) => target ?? attribute ?? '')
      .filter((target) => !/^[a-z]+:/.test(target));
  }

  /** Links that lead to no file, or to no heading of a page. */
  deadLinks(): string[] {
    return this.links().filter((link) => {
      const [file = '', anchor] = link.split('#');
      const path = normalize(join(dirname(this.path), file));
      if (file !== '' && !existsSync(join(ROOT, path))) return true;
      return anchor !== undefined && !(file === '' ? this : openPage(path)).anchors().has(anchor);
    });
  }
}

/**
 * Reads a page.
 *
 * @param path from the root of the repository
 */
export function openPage(path: string): Page {
  return new Page(path, readFileSync(join(ROOT, path), 'utf8'));
}

/** Declares the last test of a page: no block was left out. */
export function testAllTaken(page: Page): void {
  test(`every block of ${page.path} is tried`, () => {
    expect(page.untaken()).toEqual([]);
  });
}

/** Blocks of `text` show output, or commands that cannot run in a test. */
function needsTest({ language }: Block): boolean {
  return language !== '' && language !== 'text';
}

function withoutCode(text: string): string {
  return text.replaceAll(/^```.*?^```/gms, '');
}

function readBlocks(text: string): Block[] {
  const blocks: Block[] = [];
  let heading = '';
  for (const { 0: found, 1: title, 2: language = '', 3: code = '', index } of text.matchAll(
    /^#+ (.*)$|^```(\S*)\n([^]*?)^```$/gm,
  )) {
    if (!found.startsWith('```')) heading = title ?? '';
    else blocks.push({ language, code, heading, line: text.slice(0, index).split('\n').length });
  }
  return blocks;
}
