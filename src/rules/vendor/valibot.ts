// The functions of valibot that the schema of rules uses. The build puts only these into the package.
export {
  array,
  check,
  forward,
  lazy,
  literal,
  minLength,
  optional,
  pipe,
  safeParse,
  strictObject,
  string,
  union,
} from 'valibot';
