import { expect, test } from '@jest/globals';
import { hex, patched } from './fixtures/fixture.js';
import { pong } from './fixtures/minecraft.js';
import { startProbe } from './session.js';

test('a minecraft ping is 33 bytes, and no two are alike', async () => {
  const [one, other] = [await startProbe('minecraft'), await startProbe('minecraft')];
  expect(one.request).toHaveLength(33);
  expect(one.request.subarray(9, 25)).toEqual(hex('00ffff00fefefefefdfdfdfd12345678'));
  expect(one.request.subarray(1, 9)).not.toEqual(other.request.subarray(1, 9));
});

test.each([
  ['MCPE;§aGreen§r server;594;1.20.1;0;20', 'Green server, Bedrock 1.20.1, 0/20 players'],
  ['MCPE;one\\;two;594;1.20.1;3;20;1;Level', 'one;two, Bedrock 1.20.1, 3/20 players'],
  ['MCEE;School;594;1.20.1;3;20;', 'School, Education 1.20.1, 3/20 players'],
])('the pong %j says "%s"', async (text, says) => {
  const { request, judge } = await startProbe('minecraft');
  expect(judge(pong(request, text))).toEqual({ outcome: 'match', says: `minecraft: ${says}` });
});

test.each([
  ['', 'its edition is '],
  ['MCPE', 'it counts no players'],
  ['MCPE;Server;594;1.20.1;3', 'it counts no players'],
  ['MCPE;Server;594;1.20.1;-3;20', 'it counts no players'],
  ['toString;Server;594;1.20.1;3;20', 'its edition is toString'],
])('the pong %j is none', async (text, reason) => {
  const { request, judge } = await startProbe('minecraft');
  expect(judge(pong(request, text))).toEqual({
    outcome: 'mismatch',
    says: `minecraft: the reply is no message of the protocol: ${reason}`,
  });
});

test('a pong of another length than it says, without the magic, or to another ping, is none', async () => {
  const { request, judge } = await startProbe('minecraft');
  const genuine = pong(request, 'MCPE;Server;594;1.20.1;3;20');
  expect(judge(genuine).outcome).toBe('match');
  expect(judge(Buffer.concat([genuine, hex('00')])).says).toMatch(/: its text is 28 bytes long, not 27$/);
  expect(judge(patched(genuine, [17, hex('01')])).says).toMatch(/: its magic bytes differ$/);
  expect(judge(patched(genuine, [1, Buffer.of(request[1]! ^ 1)])).says).toMatch(/ to another ping: its time differs$/);
});
