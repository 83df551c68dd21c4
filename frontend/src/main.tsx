import './lib/no-eval.ts'
import './styles.css'
import { createRoot } from 'react-dom/client'
import { App } from './App.tsx'
import { createServer } from './connection/open.ts'
import { startTheme } from './lib/theme.ts'

startTheme()
const root = document.getElementById('root')
if (root) createRoot(root).render(<App server={createServer()} />)
