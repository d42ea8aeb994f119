// The functions of yaml that read files of rules and of targets. The build puts only these into the package.
export { isAlias, isCollection, isNode, isScalar, LineCounter, parseDocument, visit } from 'yaml';
