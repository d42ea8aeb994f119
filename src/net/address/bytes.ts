/**
 * Returns the bytes of a literal address in network order: 4 bytes for IPv4, 16 for IPv6. Ignores the zone.
 *
 * @param address In the canonical form of `Endpoint`. Not checked: other text gives meaningless bytes.
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

/** Returns the bytes of groups between colons. The last group may be IPv4 in dotted form (RFC 4291 section 2.2). */
function groupBytes(groups: string): number[] {
  if (groups === '') return [];
  return groups.split(':').flatMap((group) => {
    if (group.includes('.')) return group.split('.').map(Number);
    const value = Number.parseInt(group, 16);
    return [value >>> 8, value & 0xff];
  });
}
