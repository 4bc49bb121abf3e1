// Imports a Cuesmith pack into the open FMOD Studio project: menu Scripts > Cuesmith: import sounds.
// Keep this file in its folder: the sounds are beside it. Scripts > Reload reads it again after an export.
// An event that exists keeps its GUID, tracks and effects; only the audio of its instruments is replaced.

(function () {
    var SOUNDS = /* SOUNDS */ [];
    var BANK = "Cuesmith";
    var folder = __dirname;
    var project = studio.project;

    function eventFolder(parts) {
        var parent = project.workspace.masterEventFolder;
        var path = "event:";
        parts.forEach(function (name) {
            path += "/" + name;
            var found = project.lookup(path);
            if (!found) {
                found = project.create("EventFolder");
                found.name = name;
                found.folder = parent;
            }
            parent = found;
        });
        return parent;
    }

    function bank() {
        var found = project.lookup("bank:/" + BANK);
        if (!found) {
            found = project.create("Bank");
            found.name = BANK;
        }
        return found;
    }

    function importFile(path) {
        var asset = project.importAudioFile(folder + "/" + path);
        if (!asset) {
            throw new Error(path + " was not imported");
        }
        return asset;
    }

    function single(asset) {
        var instrument = project.create("SingleSound");
        instrument.audioFile = asset;
        return instrument;
    }

    function newEvent(sound, assets) {
        var parts = sound.event.split("/");
        var name = parts.pop();
        var event = project.workspace.addEvent(name, sound.kind === "sfx");
        event.folder = eventFolder(parts);
        event.relationships.banks.add(bank());
        var track = event.addGroupTrack("Sound");
        var kind = assets.length > 1 ? "MultiSound" : "SingleSound";
        var instrument = track.addSound(event.timeline, kind, 0, sound.seconds);
        if (assets.length > 1) {
            assets.forEach(function (asset) {
                instrument.relationships.sounds.add(single(asset));
            });
        } else {
            instrument.audioFile = assets[0];
        }
        if (sound.loop) {
            var markers = event.addMarkerTrack();
            markers.addRegion(sound.loop.start, sound.loop.length, "loop", project.regionLoopMode.Looping);
        }
    }

    function instrumentsOf(event) {
        var found = [];
        event.groupTracks.forEach(function (track) {
            track.modules.forEach(function (module) {
                if (module.isOfType("MultiSound")) {
                    module.sounds.forEach(function (sound) { found.push(sound); });
                } else if (module.isOfType("SingleSound")) {
                    found.push(module);
                }
            });
        });
        return found;
    }

    function updateEvent(event, assets) {
        var instruments = instrumentsOf(event);
        assets.forEach(function (asset, place) {
            if (place < instruments.length) {
                instruments[place].audioFile = asset;
            } else {
                throw new Error(event.name + " has " + instruments.length + " instruments for " + assets.length +
                    " variations; add one, or delete the event and run the script again");
            }
        });
    }

    function importSounds() {
        var failed = [];
        SOUNDS.forEach(function (sound) {
            try {
                var assets = sound.files.map(importFile);
                var event = project.lookup("event:/" + sound.event);
                if (event) {
                    updateEvent(event, assets);
                } else {
                    newEvent(sound, assets);
                }
            } catch (error) {
                failed.push(sound.event + ": " + error.message);
            }
        });
        project.save();
        var text = SOUNDS.length - failed.length + " of " + SOUNDS.length + " sounds imported";
        studio.system.message([text].concat(failed).join("\n"));
        return failed.length === 0;
    }

    studio.menu.addMenuItem({ name: "Cuesmith: import sounds", execute: importSounds });
    studio.menu.addMenuItem({
        name: "Cuesmith: import sounds and build banks",
        execute: function () {
            if (importSounds()) {
                project.build();
            }
        }
    });
}());
