// The SCIM endpoints of SAML Jackson's Directory Sync over its own store in memory.
// node server.mjs   prints the base path and the token of its one directory, and the port it listens on.
import express from "express";
import jackson from "@boxyhq/saml-jackson";

const quiet = { info: () => {}, warn: () => {}, error: console.error };
const { directorySyncController: sync } = await jackson.controllers({
    externalUrl: "http://127.0.0.1",
    samlPath: "/saml",
    noAnalytics: true,
    db: { engine: "mem", pageLimit: 1000 },
    logger: quiet,
});
const { data: directory, error } = await sync.directories.create({
    tenant: "acme",
    product: "syncd",
    type: "okta-scim-v2",
    webhook_url: "",
    webhook_secret: "",
});
if (error) throw new Error(error.message);

const app = express();
app.use(express.json({ type: ["application/json", "application/scim+json"], limit: "10mb" }));

async function scim(request, response) {
    const { directoryId, resourceType, resourceId } = request.params;
    const number = (text) => (text === undefined ? undefined : Number(text));
    const { status, data } = await sync.requests.handle({
        method: request.method,
        body: request.body,
        directoryId,
        resourceType,
        resourceId,
        apiSecret: (request.header("Authorization") ?? "").replace(/^Bearer /, ""),
        query: {
            count: number(request.query.count),
            startIndex: number(request.query.startIndex),
            filter: request.query.filter,
        },
    });
    response.status(status).json(data);
}
app.all("/scim/:directoryId/:resourceType", scim);
app.all("/scim/:directoryId/:resourceType/:resourceId", scim);

// What it holds, members too, which its SCIM answers never show.
app.get("/_dump", async (_, response) => {
    sync.users.setTenantAndProduct("acme", "syncd");
    sync.groups.setTenantAndProduct("acme", "syncd");
    const { data: users } = await sync.users.getAll({ directoryId: directory.id });
    const { data: groups } = await sync.groups.getAll({ directoryId: directory.id });
    const shown = [];
    for (const group of groups) {
        const { data: members } = await sync.groups.getGroupMembers({ groupId: group.id });
        shown.push({ id: group.id, displayName: group.name, members: members.map((m) => ({ value: m.user_id })) });
    }
    response.json({ users: users.map((user) => user.raw), groups: shown });
});

const server = app.listen(0, "127.0.0.1", () =>
    console.log(JSON.stringify({ port: server.address().port, path: `/scim/${directory.id}`, token: directory.scim.secret })),
);
process.stdin.resume();
process.stdin.on("end", () => process.exit(0));
