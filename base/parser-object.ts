/**
 * The one object that builds share where a scenario asks for it (param `source` of a stream of builds): the source that all of them
 * take from the object store. The guide calls such an object the parser. Source: seeds, SRE guide, "S3 parser file not found".
 */
export const PARSER_SOURCE = `export async function handler(event) {
  return { id: event.id };
}
`;
