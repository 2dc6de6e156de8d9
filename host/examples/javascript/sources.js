// What a spec names, looked at: for each source that the component tells, a finding.
import { Failure } from './failure.js';

/** One finding for each source, in that order. A build needs all bytes, a preview only what the spec does not state. */
export function find(sources, { folder, files, needBytes }) {
  return sources.map((source) => {
    if (source.pinned && !needBytes) return { tag: 'skipped' };
    try {
      return finding(source.origin, folder, files);
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      return { tag: 'failed', val: error.payload };
    }
  });
}

function finding({ tag, val }, folder, files) {
  if (tag === 'flow') {
    const path = val.startsWith('/') ? val : `${folder}/${val}`;
    return { tag, val: [undefined, files.open(path)] };
  }
  if (tag === 'file' && files.tree) return { tag, val: files.tree(val) };
  // An object that is to be pickled, for which there is no Python here; or a file, where there is no file system.
  return { tag: 'unseen' };
}
