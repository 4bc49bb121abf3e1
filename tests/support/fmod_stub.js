// The calls of FMOD Studio's scripting API that an import uses; prints the project as JSON. node fmod_stub.js SCRIPT [TIMES]
const fs = require("fs");
const path = require("path");
const script = process.argv[2];
const messages = [], menu = [], imported = [];
let next = 1;

function managed(entity) {
    const object = { entity, id: next++, relationships: {}, isOfType: (name) => name === entity };
    for (const name of ["banks", "sounds"]) {
        const list = [];
        object.relationships[name] = { add: (item) => list.push(item) };
        object[name] = list;
    }
    return object;
}
const master = Object.assign(managed("MasterEventFolder"), { name: "" });
const all = [];
const pathOf = (item) => (item === master || !item ? "" : pathOf(item.folder) + "/" + item.name);
function event(name, spatial) {
    const made = Object.assign(managed("Event"), { name, spatial, groupTracks: [], markers: [], timeline: {} });
    made.addGroupTrack = (title) => {
        const track = Object.assign(managed("GroupTrack"), { title, modules: [] });
        track.addSound = (parameter, kind, start, length) => {
            if (parameter !== made.timeline || !["SingleSound", "MultiSound"].includes(kind) || !(length > 0)) {
                throw new Error("addSound: wrong arguments");
            }
            const sound = Object.assign(managed(kind), { start, length });
            track.modules.push(sound);
            return sound;
        };
        made.groupTracks.push(track);
        return track;
    };
    made.addMarkerTrack = () => ({
        addRegion: (position, length, title, mode) => made.markers.push({ position, length, title, mode }),
    });
    all.push(made);
    return made;
}
const project = {
    workspace: { masterEventFolder: master, addEvent: event },
    regionLoopMode: { None: 0, Looping: 1, Magnet: 2 },
    create: (entity) => { const made = managed(entity); all.push(made); return made; },
    lookup: (where) => all.find((item) =>
        (item.entity === "Bank" && where === "bank:/" + item.name) ||
        (["Event", "EventFolder"].includes(item.entity) && where === "event:" + pathOf(item))),
    importAudioFile: (file) => {
        imported.push(file);
        return fs.existsSync(file) ? { assetPath: path.basename(file), file } : undefined;
    },
    save: () => messages.push("saved"),
    build: () => messages.push("built"),
};
const studio = { project, system: { message: (text) => messages.push(text) },
    menu: { addMenuItem: (item) => menu.push(item) } };

new Function("studio", "__dirname", fs.readFileSync(script, "utf8"))(studio, path.dirname(script));
for (let times = Number(process.argv[3] || 1); times > 0; times--) {
    menu[menu.length - 1].execute();
}
const files = (sound) => (sound.entity === "MultiSound" ? sound.sounds : [sound]).map((one) => one.audioFile.file);
console.log(JSON.stringify({
    menu: menu.map((item) => item.name), messages, imported,
    events: all.filter((item) => item.entity === "Event").map((item) => ({
        id: item.id, path: pathOf(item).slice(1), spatial: item.spatial, markers: item.markers,
        banks: item.banks.map((bank) => bank.name),
        sounds: item.groupTracks.flatMap((track) => track.modules).map((sound) => ({
            kind: sound.entity, length: sound.length, files: files(sound) })),
    })),
}));
