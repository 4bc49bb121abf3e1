// Makes or updates one CuesmithSound asset for each sound of pack.json: menu Tools > Cuesmith > Import sounds.
using System;
using System.Collections.Generic;
using System.IO;
using UnityEditor;
using UnityEngine;

public static class CuesmithImport
{
    [Serializable]
    public class Loop
    {
        public int start;
        public int end;
    }

    [Serializable]
    public class SoundFile
    {
        public string path;
        public string id;
        public Loop loop;
    }

    [Serializable]
    public class Sound
    {
        public string id;
        public string name;
        public bool loop;
        public float tempo_bpm;
        public SoundFile[] files;
    }

    [Serializable]
    public class Pack
    {
        public string schema;
        public Sound[] sounds;
    }

    [MenuItem("Tools/Cuesmith/Import sounds")]
    public static void ImportSounds()
    {
        AssetDatabase.Refresh();
        foreach (string guid in AssetDatabase.FindAssets("pack t:TextAsset"))
        {
            string path = AssetDatabase.GUIDToAssetPath(guid);
            if (Path.GetFileName(path) != "pack.json")
            {
                continue;
            }
            Pack pack = JsonUtility.FromJson<Pack>(File.ReadAllText(path));
            if (pack != null && pack.schema != null && pack.schema.StartsWith("cuesmith.pack/"))
            {
                ImportPack(pack, Path.GetDirectoryName(path).Replace('\\', '/'));
            }
        }
        AssetDatabase.SaveAssets();
    }

    private static void ImportPack(Pack pack, string folder)
    {
        foreach (Sound sound in pack.sounds)
        {
            var clips = new List<AudioClip>();
            foreach (SoundFile file in sound.files)
            {
                var clip = AssetDatabase.LoadAssetAtPath<AudioClip>(folder + "/" + file.path);
                if (clip == null)
                {
                    Debug.LogError("Cuesmith: " + file.path + " was not imported as an audio clip");
                    continue;
                }
                clips.Add(clip);
            }
            string path = folder + "/" + sound.name + ".asset";
            Directory.CreateDirectory(Path.GetDirectoryName(path));
            var asset = AssetDatabase.LoadAssetAtPath<CuesmithSound>(path);
            if (asset == null)
            {
                asset = ScriptableObject.CreateInstance<CuesmithSound>();
                AssetDatabase.CreateAsset(asset, path);
            }
            asset.id = sound.id;
            asset.clips = clips.ToArray();
            asset.loop = sound.loop;
            asset.loopStart = sound.loop ? sound.files[0].loop.start : 0;
            asset.loopEnd = sound.loop ? sound.files[0].loop.end : 0;
            asset.tempo = sound.tempo_bpm;
            EditorUtility.SetDirty(asset);
        }
        Debug.Log("Cuesmith: " + pack.sounds.Length + " sounds in " + folder);
    }
}
