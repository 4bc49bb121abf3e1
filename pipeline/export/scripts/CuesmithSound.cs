// One sound of the game: its variations, whether it loops, and its tempo.
using UnityEngine;

[CreateAssetMenu(menuName = "Audio/Cuesmith Sound")]
public class CuesmithSound : ScriptableObject
{
    public string id;
    public AudioClip[] clips;
    public bool loop;
    public int loopStart;
    public int loopEnd;
    public float tempo;

    private int last = -1;

    // A variation at random, never the same one twice in a row; null if there is none.
    public AudioClip Pick()
    {
        if (clips == null || clips.Length == 0)
        {
            return null;
        }
        int next = Random.Range(0, clips.Length);
        if (next == last && clips.Length > 1)
        {
            next = (next + 1) % clips.Length;
        }
        last = next;
        return clips[next];
    }

    public void Play(AudioSource source)
    {
        source.clip = Pick();
        source.loop = loop;
        source.Play();
    }
}
