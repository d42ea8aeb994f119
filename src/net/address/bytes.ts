/**
 * The bytes of a literal in canonical form, in network order: 4 of IPv4, 16 of IPv6. A zone is left out.
 *
 * @param address as `Endpoint` has it; any other text gives bytes without meaning
 */
export function addressBytes(address: string): Uint8Array<ArrayBuffer> {
  if (!address.includes(':')) return Uint8Array.from(address.split('.'), Number);
  const [bare = ''] = address.split('%', 1);
  const [head = '', tail = ''] = bare.split('::');
  const after = groupBytes(tail);
  const bytes = new Uint8Array(16);
  bytes.set(groupBytes(head));
  bytes.set(after, bytes.length - after.length);
  return bytes;
}

/** The bytes of groups between colons, the last of which may be dotted IPv4 (RFC 4291 section 2.2). */
function groupBytes(groups: string): number[] {
  if (groups === '') return [];
  return groups.split(':').flatMap((group) => {
    if (group.includes('.')) return group.split('.').map(Number);
    const value = Number.parseInt(group, 16);
    return [value >>> 8, value & 0xff];
  });
}
