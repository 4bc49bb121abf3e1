// The types and calls of Unity that the exported scripts use: enough to compile them and to run them once.
using System.Collections.Generic;
using System.IO;

namespace UnityEngine
{
    public class Object { public string name; }
    public class AudioClip : Object { public string path; }
    public class AudioSource : Object
    {
        public AudioClip clip; public bool loop; public bool played;
        public void Play() { played = true; }
    }
    public class ScriptableObject : Object
    {
        public static T CreateInstance<T>() where T : ScriptableObject, new() { return new T(); }
    }
    public class TextAsset : Object { }
    public class CreateAssetMenuAttribute : System.Attribute { public string menuName; }
    public static class Random
    {
        static readonly System.Random source = new System.Random(7);
        public static int Range(int low, int high) { return source.Next(low, high); }
    }
    public static class Debug
    {
        public static void Log(object text) { System.Console.WriteLine("LOG " + text); }
        public static void LogError(object text) { System.Console.WriteLine("ERROR " + text); }
    }
    public static class JsonUtility
    {
        public static T FromJson<T>(string json) { return Stub.Read<T>(json); }
    }
}

namespace UnityEditor
{
    using UnityEngine;
    public class MenuItemAttribute : System.Attribute { public MenuItemAttribute(string path) { } }
    public static class EditorUtility { public static void SetDirty(Object thing) { } }
    public static class AssetDatabase
    {
        public static readonly Dictionary<string, Object> assets = new Dictionary<string, Object>();
        public static void Refresh() { }
        public static void SaveAssets() { }
        public static string[] FindAssets(string filter) { return new[] { "pack" }; }
        public static string GUIDToAssetPath(string guid) { return "pack.json"; }
        public static T LoadAssetAtPath<T>(string path) where T : Object
        {
            path = path.TrimStart('/');
            if (typeof(T) == typeof(AudioClip) && File.Exists(path))
            {
                return new AudioClip { path = path } as T;
            }
            Object found;
            return assets.TryGetValue(path, out found) ? found as T : null;
        }
        public static void CreateAsset(Object asset, string path) { assets[path.TrimStart('/')] = asset; }
    }
}

// As Unity's JsonUtility: fields by name, null as the default of the type.
public static class Stub
{
    public static T Read<T>(string json)
    {
        int place = 0;
        return (T)Fill(typeof(T), Parse(json, ref place));
    }

    static object Parse(string text, ref int place)
    {
        Skip(text, ref place);
        char first = text[place];
        if (first == '{')
        {
            var fields = new Dictionary<string, object>();
            for (place++; Next(text, ref place) != '}';)
            {
                string name = (string)Parse(text, ref place);
                Next(text, ref place);
                place++;
                fields[name] = Parse(text, ref place);
                if (Next(text, ref place) == ',') { place++; }
            }
            place++;
            return fields;
        }
        if (first == '[')
        {
            var items = new List<object>();
            for (place++; Next(text, ref place) != ']';)
            {
                items.Add(Parse(text, ref place));
                if (Next(text, ref place) == ',') { place++; }
            }
            place++;
            return items.ToArray();
        }
        int start = place;
        if (first == '"')
        {
            for (place++; text[place] != '"'; place++)
            {
                if (text[place] == '\\') { place++; }
            }
            place++;
            return System.Text.RegularExpressions.Regex.Unescape(text.Substring(start + 1, place - start - 2));
        }
        while (place < text.Length && ",]} \n".IndexOf(text[place]) < 0) { place++; }
        string word = text.Substring(start, place - start);
        if (word == "null") { return null; }
        if (word == "true" || word == "false") { return word == "true"; }
        return double.Parse(word, System.Globalization.CultureInfo.InvariantCulture);
    }

    static char Next(string text, ref int place)
    {
        Skip(text, ref place);
        return text[place];
    }

    static void Skip(string text, ref int place)
    {
        while (char.IsWhiteSpace(text[place])) { place++; }
    }

    static object Fill(System.Type type, object value)
    {
        if (value == null)
        {
            return type.IsValueType ? System.Activator.CreateInstance(type) : null;
        }
        if (type.IsArray)
        {
            var items = (object[])value;
            var array = System.Array.CreateInstance(type.GetElementType(), items.Length);
            for (int place = 0; place < items.Length; place++)
            {
                array.SetValue(Fill(type.GetElementType(), items[place]), place);
            }
            return array;
        }
        var fields = value as Dictionary<string, object>;
        if (fields == null)
        {
            return System.Convert.ChangeType(value, type);
        }
        var made = System.Activator.CreateInstance(type);
        foreach (var field in type.GetFields())
        {
            if (fields.ContainsKey(field.Name))
            {
                field.SetValue(made, Fill(field.FieldType, fields[field.Name]));
            }
        }
        return made;
    }

    public static void Main()
    {
        CuesmithImport.ImportSounds();
        CuesmithImport.ImportSounds();
        foreach (var pair in UnityEditor.AssetDatabase.assets)
        {
            var sound = (CuesmithSound)pair.Value;
            var source = new UnityEngine.AudioSource();
            sound.Play(source);
            var paths = new List<string>();
            foreach (var clip in sound.clips) { paths.Add(clip.path.TrimStart('/')); }
            System.Console.WriteLine("SOUND " + sound.id + " " + pair.Key + " " + sound.loop + " " + sound.loopStart + " "
                + sound.loopEnd + " " + sound.tempo + " " + source.played + " " + string.Join(",", paths.ToArray()));
        }
    }
}
