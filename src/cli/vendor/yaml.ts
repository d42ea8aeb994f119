// The functions of yaml that read files of rules and of targets. The build puts only these into the package.
export { LineCounter, parseDocument, visit } from 'yaml';
