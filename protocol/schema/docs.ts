/** What people wrote about one struct: kept apart from its fields, because only OpenAPI documents need it. */
export interface TypeDoc {
  readonly description?: string;
  /** JSON names of fields a client must give. */
  readonly required?: readonly string[];
  /** JSON name to description. */
  readonly fields: Readonly<Record<string, string>>;
}

/** Finds what is written about a struct, such as `core/v1.PodSpec`; undefined when nothing is. */
export type DocSource = (name: string) => TypeDoc | undefined;

/** File that holds the docs of a package, such as `core/v1`. */
export const docFileOf = (packageName: string): string => `${packageName.replace('/', '.')}.json`;
