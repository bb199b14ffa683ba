// The library is served as a file of the page's own; scripts/copy-assets.mjs puts it there.
import uPlot from 'uplot';
export default uPlot;
