// The page's part of a Slack picture: draws Block Kit into an element. Bundled by `make pictures`.
import { createRoot } from 'react-dom/client';
import { Message } from 'slack-blocks-to-jsx';

const people = { users: [{ id: 'U0MAX', name: 'Max Weber' }, { id: 'U0ANA', name: 'Ana Lima' }, { id: 'U0BEN', name: 'Ben Okafor' }], channels: [{ id: 'C0BACKUP', name: 'backup' }], user_groups: [{ id: 'S0ONCALL', name: 'oncall' }] };

const LOGO = 'data:image/svg+xml,' + encodeURIComponent('<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 36 36"><rect width="36" height="36" rx="8" fill="#1f3a5f"/><text x="18" y="24" font-size="18" text-anchor="middle" fill="white" font-family="sans-serif">B</text></svg>');

window.renderBlocks = (element, blocks) => createRoot(element).render(
  <Message time={new Date('2026-11-22T03:00:00Z')} name="Backup" logo={LOGO} blocks={blocks} data={people} />);
