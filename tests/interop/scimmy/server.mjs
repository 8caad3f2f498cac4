// A SCIMMY server with a Map behind each resource: the protocol is theirs, only the storage is here.
// node server.mjs TOKEN   prints the port it listens on.
import crypto from "node:crypto";
import express from "express";
import SCIMMY from "scimmy";
import SCIMMYRouters from "scimmy-routers";

const token = process.argv[2];
const stores = { User: new Map(), Group: new Map() };
let writes = 0;

function handlers(kind, unique) {
    const store = stores[kind];
    return {
        egress: async (resource) => {
            if (resource.id) {
                if (!store.has(resource.id)) throw new SCIMMY.Types.Error(404, null, `Resource ${resource.id} not found`);
                return store.get(resource.id);
            }
            const all = [...store.values()];
            return resource.filter ? resource.filter.match(all) : all;
        },
        ingress: async (resource, data) => {
            writes += 1;
            const id = resource.id ?? crypto.randomUUID();
            if (resource.id && !store.has(id)) throw new SCIMMY.Types.Error(404, null, `Resource ${id} not found`);
            for (const [other, value] of store) {
                if (other !== id && value[unique] === data[unique]) {
                    throw new SCIMMY.Types.Error(409, "uniqueness", `${unique} ${data[unique]} is taken`);
                }
            }
            const stored = JSON.parse(JSON.stringify({ ...data, id }));
            const now = new Date().toISOString();
            stored.meta = { created: store.get(id)?.meta?.created ?? now, lastModified: now };
            store.set(id, stored);
            return stored;
        },
        degress: async (resource) => {
            writes += 1;
            store.delete(resource.id);
        },
    };
}

SCIMMY.Resources.declare(SCIMMY.Resources.User, handlers("User", "userName"));
SCIMMY.Resources.declare(SCIMMY.Resources.Group, handlers("Group", "displayName"));

const app = express();
app.get("/_dump", (_, response) => {
    response.json({ users: [...stores.User.values()], groups: [...stores.Group.values()], writes });
});
app.use("/scim", new SCIMMYRouters({
    type: "bearer",
    handler: (request) => {
        if (request.header("Authorization") !== `Bearer ${token}`) throw new Error("Authorization not detected!");
        return "syncd";
    },
}));
const server = app.listen(0, "127.0.0.1", () => console.log(server.address().port));
process.stdin.resume();
process.stdin.on("end", () => process.exit(0));
