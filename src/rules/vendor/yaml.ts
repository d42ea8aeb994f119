// The functions of yaml that read a file of rules. The build puts only these into the package.
export { LineCounter, parseDocument, visit } from 'yaml';
