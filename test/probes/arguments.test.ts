import { describe, expect, test } from '@jest/globals';
import {
  ArgumentError,
  optional,
  readArguments,
  readInteger,
  readOneOf,
  readPrintable,
  readText,
  required,
  secret,
} from '../../src/probes/arguments.js';
import { fc, holds } from '../support/property.js';

const TABLE = {
  name: required('a name', readText, 'example'),
  size: optional('a size', readInteger(1, 9), '3'),
  key: secret(optional('a key', readText, 'public')),
};

const read = (text: string, env = {}) => readArguments(TABLE, text, env);

describe('the arguments of a probe', () => {
  test.each([
    ['in order', 'a,5,b', { name: 'a', size: 5, key: 'b' }],
    ['left out at the end', 'a', { name: 'a', size: 3, key: 'public' }],
    ['left out in the middle', 'a,,b', { name: 'a', size: 3, key: 'b' }],
    ['by name, in any order', 'key=b,name=a', { name: 'a', size: 3, key: 'b' }],
    ['by name and in order', 'key=b,a,7', { name: 'a', size: 7, key: 'b' }],
    ['with a comma and a backslash in them', 'a\\,b\\\\c', { name: 'a,b\\c', size: 3, key: 'public' }],
    ['with an equals sign in them', 'x=y', { name: 'x=y', size: 3, key: 'public' }],
    ['with another backslash, which is one', 'a\\n', { name: 'a\\n', size: 3, key: 'public' }],
  ])('can be given %s', (_title, text, values) => {
    expect(read(text)).toEqual(values);
  });

  test.each([
    ['none where one is needed', '', 'it needs its argument "name", such as example'],
    ['one too many', 'a,1,b,c', 'it takes only name, size, key, and another is one more'],
    ['one twice', 'a,name=b', 'its argument "name" is given twice'],
    ['a value out of range', 'a,10', 'its argument "size" cannot be "10": it must be a whole number from 1 to 9'],
    ['an empty value by name', 'name=', 'its argument "name" cannot be "": it must not be empty'],
    ['a variable that is not set', 'a,key=env:NOPE', 'names the environment variable NOPE, which is not set'],
  ])('cannot be %s', (_title, text, message) => {
    expect(() => read(text)).toThrow(ArgumentError);
    expect(() => read(text)).toThrow(message);
  });

  test('are no secret unless they are marked as one', () => {
    expect(read('env:HOME,1,env:KEY', { HOME: '/root', KEY: 'xyzzy' })).toEqual({
      name: 'env:HOME',
      size: 1,
      key: 'xyzzy',
    });
  });

  test('that are secret are not shown when they are wrong', () => {
    const table = { key: secret(required('a key', readInteger(0, 1), '1')) };
    expect(() => readArguments(table, 'hunter2', {})).toThrow(
      /^its argument "key": it must be a whole number from 0 to 1$/,
    );
  });

  test('that are secret are not shown when a comma cuts them in two, nor altered when they are no UTF-8', () => {
    const table = { key: secret(required('a key', readText, 'x')) };
    expect(() => readArguments(table, 'hunter,2', {})).toThrow('it takes only key, and another is one more');
    expect(() => readArguments(table, 'env:KEY', { KEY: 'hunter\u{fffd}' })).toThrow('no valid UTF-8');
  });

  test('survive being written with their commas and backslashes escaped', () => {
    const text = fc.string({ unit: 'binary', minLength: 1 }).filter((value) => !/^(name|size|key)=/.test(value));
    holds(
      fc.property(text, (value) => {
        expect(read(value.replaceAll(/[\\,]/g, '\\$&')).name).toBe(value);
      }),
    );
  });
});

describe('the readers', () => {
  test('of words take either case', () => {
    expect(readOneOf(['yes', 'NO'])('YES')).toBe('yes');
    expect(() => readOneOf(['yes', 'no'])('maybe')).toThrow('it must be one of yes, no');
  });

  test.each(['', '1.5', '-1', '0x1', '1e3', '99999999999999999999'])('of whole numbers refuse "%s"', (text) => {
    expect(() => readInteger(0, 100)(text)).toThrow('it must be a whole number from 0 to 100');
  });

  test.each(['', 'a b', 'ä', 'abcdef'])('of printable ASCII refuse "%s"', (text) => {
    expect(() => readPrintable(5)(text)).toThrow('it must be 1 to 5 printable ASCII characters, without spaces');
  });
});
