import { buildSite } from "./site/build.ts";
await buildSite("/tmp/site1", { withReference: false });
